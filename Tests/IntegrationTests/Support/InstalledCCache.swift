import Foundation
import Testing

/// The versions of ccache that Fabrik is tested with.
enum InstalledCCache: String, CaseIterable, CustomTestStringConvertible, Sendable {
  /// Debian 12's, 4.7: over HTTP.
  case system
  /// 4.13 or newer, unpacked by `scripts/install-dependencies test`: over its storage helper protocol.
  case recent

  /// What goes first in PATH.
  var directory: String {
    switch self {
    case .system: "/usr/bin"
    case .recent: "\(Sandbox.repository)/.build/tools/ccache"
    }
  }

  var testDescription: String { rawValue }
}
