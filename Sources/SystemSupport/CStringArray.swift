/// A NULL-terminated array of C strings, freed with its owner.
package final class CStringArray {
  private let pointers: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>

  package init(_ strings: [[UInt8]]) {
    pointers = .allocate(capacity: strings.count + 1)
    for (index, string) in strings.enumerated() {
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: string.count + 1)
      string.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: copy, count: $0.count).copyMemory(from: $0) }
      copy[string.count] = 0
      pointers.initializeElement(at: index, to: copy)
    }
    pointers.initializeElement(at: strings.count, to: nil)
  }

  deinit {
    for pointer in pointers { pointer?.deallocate() }
    pointers.deallocate()
  }

  package func withPointer<Result>(
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    withExtendedLifetime(self) { body(UnsafePointer(pointers.baseAddress!)) }
  }
}
