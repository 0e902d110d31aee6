package import SystemPackage

extension FilePath {
  /// This directory and all above it, from here upwards, by the path's text alone.
  package var ancestors: UnfoldFirstSequence<FilePath> {
    sequence(first: self) { path in
      let parent = path.removingLastComponent()
      return parent == path ? nil : parent
    }
  }
}
