/// The places between two system calls of a write. Tests stop a writer at each of them.
package enum StoreStep: String, CaseIterable, Sendable {
  case createTemporary
  case writeTemporary
  case publishBlob
  case createEntryFile
  case writeEntryFile
  case removeOldEntry
  case publishEntry
  case count
}

/// Called before each step of a write. What it throws is taken as that step's failure.
package typealias StoreStepHook = @Sendable (StoreStep) throws -> Void
