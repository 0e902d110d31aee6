import Glibc

/// What a test did not expect.
package struct Unexpected: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// Looks again until a condition holds. The patience is a bound against hangs, not a measurement.
package func eventually(
  _ what: String, within patience: Duration = .seconds(60), _ condition: () throws -> Bool
) throws {
  let deadline = ContinuousClock.now + patience
  while try !condition() {
    // After the look: a machine without time for this test must not be taken for a condition that does not hold.
    guard ContinuousClock.now < deadline else { throw Unexpected("in vain: \(what)") }
    usleep(5000)
  }
}

/// Whether a condition comes true.
package func eventually(
  within patience: Duration = .seconds(60), isolation: isolated (any Actor)? = #isolation,
  _ condition: () async throws -> Bool
) async rethrows -> Bool {
  let deadline = ContinuousClock.now + patience
  while true {
    if try await condition() { return true }
    if ContinuousClock.now >= deadline { return false }
    try? await Task.sleep(for: .milliseconds(2))
  }
}
