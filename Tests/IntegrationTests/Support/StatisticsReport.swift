import Foundation
import Testing

/// What `--stats json` printed, as numbers by dotted names.
func report(_ outcome: Sandbox.Outcome) throws -> [String: Double] {
  let line = try #require(outcome.errors.split(separator: "\n").last { $0.hasPrefix("{") }, "\(outcome)")
  let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
  var numbers: [String: Double] = [:]
  func add(_ value: Any, _ name: String) {
    if let number = value as? NSNumber { numbers[name] = number.doubleValue }
    for (key, child) in value as? [String: Any] ?? [:] { add(child, name.isEmpty ? key : "\(name).\(key)") }
  }
  add(object, "")
  return numbers
}
