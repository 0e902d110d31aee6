/// What `fabrik exec` prints when the command has ended.
package enum StatisticsMode: String, Sendable, CaseIterable {
  /// Nothing.
  case none
  /// One line, if a tool asked for anything.
  case line
  /// One JSON object.
  case json
}
