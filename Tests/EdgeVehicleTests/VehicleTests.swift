import EdgeVehicle
import Testing
