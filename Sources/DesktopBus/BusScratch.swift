/// Memory for a `DBusError` (32 bytes in libdbus 1.14) or a `DBusMessageIter` (72 bytes), which the caller provides.
/// Both are opaque here; what is spare is for versions to come.
enum BusScratch {
  static func with<Result, Failure: Error>(
    _ body: (BusLibrary.Scratch) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 256)
    return try body(memory)
  }
}
