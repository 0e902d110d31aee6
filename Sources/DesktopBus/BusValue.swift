/// An argument of a message. `other` is what nobody here has a use for.
package indirect enum BusValue: Sendable, Equatable {
  case byte(UInt8)
  case bool(Bool)
  case int32(Int32)
  case uint16(UInt16)
  case uint32(UInt32)
  case string(String)
  case path(String)
  /// Elements of one type, given as a D-Bus signature: `s`, `y`.
  case array(of: String, [BusValue])
  /// `a{sv}`, in the order given.
  case options([(name: String, value: BusValue)])
  case other

  package static func strings(_ values: [String]) -> BusValue { .array(of: "s", values.map(BusValue.string)) }
  package static func bytes(_ values: [UInt8]) -> BusValue { .array(of: "y", values.map(BusValue.byte)) }

  package var int32: Int32? { if case .int32(let value) = self { value } else { nil } }
  package var uint32: UInt32? { if case .uint32(let value) = self { value } else { nil } }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var path: String? { if case .path(let value) = self { value } else { nil } }

  /// The elements of an array of strings.
  package var strings: [String]? {
    guard case .array(of: "s", let values) = self else { return nil }
    return values.compactMap(\.string)
  }

  /// The elements of an array of bytes.
  package var bytes: [UInt8]? {
    guard case .array(of: "y", let values) = self else { return nil }
    return values.map { if case .byte(let byte) = $0 { byte } else { 0 } }
  }

  /// The type's signature.
  var signature: String {
    switch self {
    case .byte: "y"
    case .bool: "b"
    case .int32: "i"
    case .uint16: "q"
    case .uint32: "u"
    case .string: "s"
    case .path: "o"
    case .array(let element, _): "a" + element
    case .options: "a{sv}"
    case .other: ""
    }
  }

  package static func == (left: BusValue, right: BusValue) -> Bool {
    switch (left, right) {
    case (.byte(let left), .byte(let right)): left == right
    case (.bool(let left), .bool(let right)): left == right
    case (.int32(let left), .int32(let right)): left == right
    case (.uint16(let left), .uint16(let right)): left == right
    case (.uint32(let left), .uint32(let right)): left == right
    case (.string(let left), .string(let right)), (.path(let left), .path(let right)): left == right
    case (.array(let leftType, let left), .array(let rightType, let right)): leftType == rightType && left == right
    case (.options(let left), .options(let right)): left.elementsEqual(right) { $0 == $1 }
    case (.other, .other): true
    default: false
    }
  }
}
