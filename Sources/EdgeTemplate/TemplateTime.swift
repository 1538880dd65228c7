/// A moment as a calendar and a clock show it: what `strftime_now` writes.
package struct TemplateTime: Sendable, Equatable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int

    package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.year = min(max(year, 1), 9999)
        self.month = min(max(month, 1), 12)
        self.day = min(max(day, 1), 31)
        self.hour = min(max(hour, 0), 23)
        self.minute = min(max(minute, 0), 59)
        self.second = min(max(second, 0), 60)
    }

    package static let epoch = TemplateTime(year: 1970, month: 1, day: 1)

    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    private var dayOfYear: Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1]
        return before + (isLeap && month > 2 ? 1 : 0) + day
    }

    /// Counted from Sunday.
    private var weekday: Int {
        let years = year - 1
        return (years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear) % 7
    }

    /// The text of a format as C's `strftime` writes it in English.
    func formatted(_ format: Text, _ renderer: Renderer) throws(TemplateError) -> Text {
        var units: [UInt32] = []
        var index = 0
        while index < format.count {
            guard format.scalar(index) == 37, index + 1 < format.count else {
                units.append(format.units[index])
                index += 1
                continue
            }
            var letter = format.scalar(index + 1)
            index += 2
            let isBare = letter == 45 && index < format.count
            if isBare {
                letter = format.scalar(index)
                index += 1
            }
            guard let scalar = Unicode.Scalar(letter), var text = field(scalar) else {
                throw renderer.fail(.unsupported, "the date format is not supported")
            }
            if isBare { while text.count > 1, text.first == "0" { text.removeFirst() } }
            renderer.append(text, to: &units)
        }
        return Text(units: units)
    }

    private func padded(_ number: Int, _ width: Int = 2, with fill: String = "0") -> String {
        let digits = String(number)
        return String(repeating: fill, count: max(0, width - digits.count)) + digits
    }

    private func field(_ letter: Unicode.Scalar) -> String? {
        let hour12 = hour % 12 == 0 ? 12 : hour % 12
        switch letter {
        case "Y": return String(year)
        case "y": return padded(year % 100)
        case "m": return padded(month)
        case "d": return padded(day)
        case "e": return padded(day, with: " ")
        case "H": return padded(hour)
        case "I": return padded(hour12)
        case "M": return padded(minute)
        case "S": return padded(second)
        case "f": return "000000"
        case "p": return hour < 12 ? "AM" : "PM"
        case "B": return TemplateTime.months[month - 1]
        case "b", "h": return String(TemplateTime.months[month - 1].prefix(3))
        case "A": return TemplateTime.days[weekday]
        case "a": return String(TemplateTime.days[weekday].prefix(3))
        case "w": return String(weekday)
        case "u": return String(weekday == 0 ? 7 : weekday)
        case "j": return padded(dayOfYear, 3)
        case "F": return "\(padded(year, 4))-\(padded(month))-\(padded(day))"
        case "T": return "\(padded(hour)):\(padded(minute)):\(padded(second))"
        case "D": return "\(padded(month))/\(padded(day))/\(padded(year % 100))"
        case "R": return "\(padded(hour)):\(padded(minute))"
        case "z", "Z": return ""
        case "n": return "\n"
        case "t": return "\t"
        case "%": return "%"
        default: return nil
        }
    }
}
