/// A command could not do what was asked; the sentence says why and what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String
}
