import Testing

@testable import Upstreams

@Suite("A file of profiles")
struct ProfileFileTests {
  @Test("has comments in lines of their own, and blanks around keys and values")
  func lines() {
    let file = ProfileFile(
      """
      ignored = before
      # [default]
      ; key = comment
        # key = comment
      [default]
      Key=a=b
      other \t:  c # not a comment\r
      empty =
      no delimiter
      = no key
      [second] ; a remark
      \tkey = indented
      \tother = too
      [default]
      key = later
      """, headings: .credentials)
    #expect(
      file.profiles == [
        "default": ["key": "later", "other": "c # not a comment", "empty": "", "": "no key"],
        "second": ["key": "indented", "other": "too"],
      ])
  }

  @Test("has sections within sections, which are not the profile's own keys")
  func nested() {
    let file = ProfileFile(
      """
      [default]
      region = a
      s3 =
        region = nested
        # remark

        [brackets]
        addressing_style = path
      output = json
      """, headings: .credentials)
    #expect(file.profiles == ["default": ["region": "a", "s3": "", "output": "json"]])
  }

  @Test("names profiles with a word before them only in the configuration")
  func headings() {
    let text = """
      [default]
      k = 1
      [profile one]
      k = 2
      [profile  "two words"]
      k = 3
      [one]
      k = 4
      [sso-session s]
      k = 5
      [profiles x]
      k = 6
      [profile 'q']
      """
    #expect(
      ProfileFile(text, headings: .configuration).profiles == [
        "default": ["k": "1"], "one": ["k": "2"], "two words": ["k": "3"], "q": [:],
      ])
    #expect(ProfileFile(text, headings: .credentials).profiles["one"] == ["k": "4"])
    #expect(ProfileFile(text, headings: .credentials).profiles["profile one"] == ["k": "2"])
  }

  @Test(
    "is understood whatever is in it",
    arguments: ["", "[", "]", "[]", "[]\n=", "[\"]", "=\n=", "[profile]", "[profile \"]"])
  func anything(_ text: String) {
    _ = ProfileFile(text, headings: .credentials)
    _ = ProfileFile(text, headings: .configuration)
  }
}
