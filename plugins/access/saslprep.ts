/**
 * How SCRAM wants names and passwords before they are hashed (SASLprep, RFC 4013), so that what a person types on two
 * keyboards is the same: blanks are one kind, what cannot be seen is left out, and letters have one form (NFKC).
 */

/** Table B.1 of RFC 3454: commonly mapped to nothing. */
const NOTHING = /\u034f|[\u180b-\u180d]|[\ufe00-\ufe0f]|[\u00ad\u1806\u2060\ufeff]|\u200b|\u200c|\u200d/gu
/** Table C.1.2: blanks that are not the one in ASCII. */
const BLANK = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu
/** Section 2.3: control characters, private use, half a character, not a character, and what changes how text is shown. */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\ufff9-\ufffd\u2ff0-\u2ffb\u200e\u200f\u202a-\u202e\u206a-\u206f\u2028\u2029]|\u0340|\u0341/u

/** Null for text that has what is prohibited, or nothing else. */
export function saslprep(text: string): string | null {
  const prepared = text.replace(BLANK, ' ').replace(NOTHING, '').normalize('NFKC')
  return prepared === '' || PROHIBITED.test(prepared) ? null : prepared
}
