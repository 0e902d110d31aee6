/// A value and where it came from, for `fabrik config show` and for error messages.
package struct Setting<Value: Sendable>: Sendable {
  package let value: Value
  /// nil: the built-in default.
  package let place: ConfigurationError.Place?

  package init(_ value: Value, from place: ConfigurationError.Place? = nil) {
    self.value = value
    self.place = place
  }
}

extension Setting: Equatable where Value: Equatable {}
