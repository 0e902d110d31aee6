/// Reads arguments with libdbus's iterators.
struct BusReader {
  let library: BusLibrary

  /// The values from the iterator's place to the end of its container, at most `BusMessage.argumentLimit`.
  func values(_ iterator: BusLibrary.Scratch) -> [BusValue] {
    var values: [BusValue] = []
    while values.count < BusMessage.argumentLimit, let value = value(iterator) {
      values.append(value)
      _ = library.next(iterator)
    }
    return values
  }

  /// Nil at the end.
  private func value(_ iterator: BusLibrary.Scratch) -> BusValue? {
    guard let type = UInt8(exactly: library.argumentType(iterator)), type != 0 else { return nil }
    return switch UnicodeScalar(type) {
    case "y": .byte(basic(iterator, 0))
    case "b": .bool(basic(iterator, UInt32(0)) != 0)
    case "i": .int32(basic(iterator, 0))
    case "q": .uint16(basic(iterator, 0))
    case "u": .uint32(basic(iterator, 0))
    case "s": .string(text(iterator))
    case "o": .path(text(iterator))
    case "a": array(iterator)
    // Numbers nobody sends us, file descriptors (which would have to be closed), structures, variants.
    default: .other
    }
  }

  private func basic<Value: BitwiseCopyable>(_ iterator: BusLibrary.Scratch, _ initial: Value) -> Value {
    var value = initial
    withUnsafeMutableBytes(of: &value) { library.basic(iterator, $0.baseAddress!) }
    return value
  }

  private func text(_ iterator: BusLibrary.Scratch) -> String {
    var text: BusLibrary.Text?
    withUnsafeMutableBytes(of: &text) { library.basic(iterator, $0.baseAddress!) }
    return text.map { String(cString: $0) } ?? ""
  }

  /// An array of strings or bytes; `other` for arrays of something else.
  private func array(_ iterator: BusLibrary.Scratch) -> BusValue {
    BusScratch.with { elements in
      library.recurse(iterator, elements)
      let values = values(elements)
      return switch values.first {
      case .string: .array(of: "s", values)
      case .byte: .array(of: "y", values)
      case nil: .array(of: "s", [])
      default: .other
      }
    }
  }
}

/// Writes arguments with libdbus's iterators. Its functions return false when memory is short, and for what libdbus
/// would abort over.
struct BusWriter {
  let library: BusLibrary

  func append(_ value: BusValue, to iterator: BusLibrary.Scratch) -> Bool {
    switch value {
    case .byte(let value): basic(value, "y", iterator)
    case .bool(let value): basic(UInt32(value ? 1 : 0), "b", iterator)
    case .int32(let value): basic(value, "i", iterator)
    case .uint16(let value): basic(value, "q", iterator)
    case .uint32(let value): basic(value, "u", iterator)
    case .string(let value): text(value, "s", iterator)
    case .path(let value):
      library.isPath(value, nil) != 0 && text(value, "o", iterator)
    case .array(let element, let values):
      ["s", "y"].contains(element) && values.allSatisfy { $0.signature == element }
        && container("a", element, iterator) { inner in values.allSatisfy { append($0, to: inner) } }
    case .options(let options):
      container("a", "{sv}", iterator) { entries in
        options.allSatisfy { option in
          option.value != .other
            && container("e", nil, entries) { entry in
              text(option.name, "s", entry)
                && container("v", option.value.signature, entry) { append(option.value, to: $0) }
            }
        }
      }
    case .other: false
    }
  }

  private func basic(_ value: some BitwiseCopyable, _ type: UnicodeScalar, _ iterator: BusLibrary.Scratch) -> Bool {
    withUnsafeBytes(of: value) { library.appendBasic(iterator, CInt(type.value), $0.baseAddress!) != 0 }
  }

  /// A text up to its first NUL, which D-Bus does not allow.
  private func text(_ value: String, _ type: UnicodeScalar, _ iterator: BusLibrary.Scratch) -> Bool {
    value.withCString { text in
      withUnsafeBytes(of: text) { library.appendBasic(iterator, CInt(type.value), $0.baseAddress!) != 0 }
    }
  }

  private func container(
    _ type: UnicodeScalar, _ signature: String?, _ iterator: BusLibrary.Scratch, _ body: (BusLibrary.Scratch) -> Bool
  ) -> Bool {
    BusScratch.with { inner in
      let isOpen =
        signature.map { $0.withCString { library.openContainer(iterator, CInt(type.value), $0, inner) } }
        ?? library.openContainer(iterator, CInt(type.value), nil, inner)
      guard isOpen != 0 else { return false }
      // Closed in any case: libdbus wants each container closed that was opened.
      let isWritten = body(inner)
      return library.closeContainer(iterator, inner) != 0 && isWritten
    }
  }
}
