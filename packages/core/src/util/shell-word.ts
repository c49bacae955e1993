/** A word of a command to type, as a POSIX shell takes it: plain ones stay as they are, all others stand in single quotes. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
