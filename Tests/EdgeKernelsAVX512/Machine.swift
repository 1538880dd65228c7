// Compiled into the harness for the emulated PC alone.

/// Switches on the parts of the processor's state that the bits name, as an operating system does when it starts.
@_silgen_name("edge_save_states") func saveStates(_ states: UInt64)

/// Says what `EdgeKernels` would choose while the widest registers are switched off, and then with them on.
func canRunWidest() -> Bool {
    let before = ProcessorFeatures.detectAVX512()
    saveStates(0xE7)
    let after = ProcessorFeatures.detectAVX512()
    print("avx2 \(ProcessorFeatures.hasAVX2), avx512 before the registers are saved \(before), then \(after)")
    return after && !before
}
