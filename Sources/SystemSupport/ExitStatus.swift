/// Exit statuses that are not a command's own.
package enum ExitStatus {
  /// Wrong use, as `env` and `timeout` have it.
  package static let usage: CInt = 125
}
