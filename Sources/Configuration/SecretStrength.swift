import Glibc

/// Judges whether a team's secret could be guessed. Whoever hears one handshake can try secrets at leisure, so only what
/// a program made up is good enough; the estimate is there to catch passwords.
enum SecretStrength {
  static let leastLength = 16
  static let longest = 1024
  static let leastBits = 80.0

  /// What is wrong with a secret, as the end of a sentence that does not quote it; nil when it is good.
  static func flaw(in secret: String) -> String? {
    let characters = Array(secret.unicodeScalars.map(\.value))
    guard characters.count >= leastLength else { return "is shorter than \(leastLength) characters" }
    guard secret.utf8.count <= longest else { return "is longer than \(longest) bytes" }
    guard characters.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      return "has a line break or control character in it"
    }
    let bits = bits(of: characters)
    guard bits >= leastBits else {
      return "is easy to guess: it is worth about \(Int(bits)) bits, and \(Int(leastBits)) are needed"
    }
    return nil
  }

  /// The characters that do not follow from the ones before, times what each tells.
  static func bits(of characters: [UInt32]) -> Double {
    let distinct = Set(characters).count
    return Double(unpredictable(characters)) * log2(Double(max(1, distinct)))
  }

  private static func unpredictable(_ characters: [UInt32]) -> Int {
    var isPredictable = [Bool](repeating: false, count: characters.count)
    var seen: Set<[UInt32]> = []
    for index in characters.indices.dropFirst(2) {
      let three = Array(characters[(index - 2)...index])
      let (first, second) = (Int(three[1]) - Int(three[0]), Int(three[2]) - Int(three[1]))
      // aaaa, abcd, 4321; and what was there before.
      if first == second && abs(first) <= 1 || seen.contains(three) { isPredictable[index] = true }
      seen.insert(three)
    }
    let plain = characters.map(plainLetter)
    for word in notorious {
      for start in plain.indices.dropLast(word.count - 1) where plain[start..<(start + word.count)].elementsEqual(word)
      {
        // A word is worth one character.
        for index in (start + 1)..<(start + word.count) { isPredictable[index] = true }
      }
    }
    return isPredictable.count { !$0 }
  }

  /// Lower case, with the digits that people put in the place of letters read as these.
  private static func plainLetter(_ character: UInt32) -> UInt32 {
    switch character {
    case 0x41...0x5a: character + 0x20
    case 0x30: 0x6f  // 0 o
    case 0x31, 0x21: 0x69  // 1 ! i
    case 0x33: 0x65  // 3 e
    case 0x34, 0x40: 0x61  // 4 @ a
    case 0x35, 0x24: 0x73  // 5 $ s
    case 0x37: 0x74  // 7 t
    default: character
    }
  }

  /// What people put into passwords.
  private static let notorious: [[UInt32]] = [
    "password", "passwort", "passphrase", "secret", "geheim", "fabrik", "cache", "build", "team", "change", "default",
    "example", "letmein", "welcome", "qwerty", "qwertz", "azerty", "asdf", "yxcv", "zxcv", "iqaz", "admin", "root",
    "login", "master", "dragon", "monkey", "football", "baseball", "sunshine", "princess", "iloveyou", "correct",
    "horse", "battery", "staple", "company", "office", "summer", "winter", "spring", "autumn", "january", "december",
    "please", "token", "private", "hello", "world", "swordfish", "trustno", "lorem", "ipsum", "dolor",
  ].map { word in word.unicodeScalars.map { plainLetter($0.value) } }
}
