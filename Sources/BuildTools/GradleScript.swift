/// What Gradle is told in a script of its own, before it reads the project.
///
/// Runs in Gradle 4 to 9: what came later (`beforeSettings`, `allowInsecureProtocol`) is used where it exists. Where the
/// build has a remote cache already, that one stays.
struct GradleScript {
  /// How caching, which is off unless somebody wants it, was switched on.
  enum Switch {
    /// By this script, if nothing in the properties says otherwise. Whoever starts Gradle has looked at its arguments.
    case script
    /// By a system property, which takes second place to Gradle's arguments, but not to the project's properties.
    case property
  }

  let address: String
  /// The password.
  let token: String
  let wayIn: Switch

  var text: String {
    """
    // Written by Fabrik at each build; changes are lost.
    def read = { File directory ->
      def values = new Properties()
      def file = new File(directory, 'gradle.properties')
      if (file.isFile()) file.withInputStream { values.load(it) }
      values
    }
    def share = { settings ->
      def buildCache = settings.buildCache
      if (buildCache.remote != null) return
      def start = settings.gradle.startParameter
      def wanted = [settings.gradle.gradleUserHomeDir, settings.rootDir]
        .findResult { read(it).getProperty('org.gradle.caching') }
      if (wanted != null && wanted.trim().equalsIgnoreCase('false')) {
        \(wayIn == .property ? "start.buildCacheEnabled = false" : "// The project does not want a cache.")
        return
      }
      \(wayIn == .script ? "start.buildCacheEnabled = true" : "if (!start.buildCacheEnabled) return")
      def local = buildCache.local
      // What lies in Gradle's own cache goes on being used. Where nothing does, one copy is enough.
      def isInUse = !local.hasProperty('directory') || local.directory != null ||
        new File(settings.gradle.gradleUserHomeDir, 'caches/build-cache-1').isDirectory()
      if (!isInUse) local.enabled = false
      buildCache.remote(HttpBuildCache) { cache ->
        cache.url = URI.create('\(address)/')
        cache.push = true
        cache.credentials.username = 'fabrik'
        cache.credentials.password = '\(token)'
        if (cache.hasProperty('allowInsecureProtocol')) cache.allowInsecureProtocol = true
      }
    }
    // Scripts of the user's may follow this one, and their caches are to be seen.
    if (gradle.metaClass.respondsTo(gradle, 'beforeSettings')) {
      gradle.beforeSettings { it.gradle.settingsEvaluated(share) }
    } else {
      gradle.settingsEvaluated(share)
    }

    """
  }
}
