import Glibc
package import SystemPackage
package import SystemSupport

/// Where this user's files go, by the XDG Base Directory Specification 0.8.
package struct StandardPaths: Sendable {
  /// The home directory; `/` when the environment names none.
  package let home: FilePath
  /// `$XDG_CACHE_HOME/fabrik`: may be deleted at any time.
  package let cache: FilePath
  /// `$XDG_CONFIG_HOME/fabrik`: what the user wrote.
  package let config: FilePath
  /// `$XDG_DATA_HOME/fabrik`: what must stay where it is.
  package let data: FilePath
  /// `$XDG_STATE_HOME/fabrik`: what happened lately.
  package let state: FilePath

  package init(environment: Environment) {
    home = environment.absolutePath("HOME") ?? Self.homeOfUser() ?? "/"
    cache = (environment.absolutePath("XDG_CACHE_HOME") ?? home.appending(".cache")).appending("fabrik")
    config = (environment.absolutePath("XDG_CONFIG_HOME") ?? home.appending(".config")).appending("fabrik")
    data = (environment.absolutePath("XDG_DATA_HOME") ?? home.appending(".local/share")).appending("fabrik")
    state = (environment.absolutePath("XDG_STATE_HOME") ?? home.appending(".local/state")).appending("fabrik")
  }

  private static func homeOfUser() -> FilePath? {
    SmallFile.read(AccountList.path).flatMap { AccountList.home(of: getuid(), in: $0) }
  }
}
