/** Flags whose values are secrets by their name, whoever defined them. */
const SECRET_FLAG =
  /(?:^|-)(?:token|secret|password|passwd|passphrase|credentials?|(?:api|access|private)-?key)(?:-|$)/i;

/** What stands in place of a secret. */
export const HIDDEN = "…";

/**
 * A command line that may be kept: values of secret flags are replaced, and so are passwords inside addresses.
 *
 * @param command  arguments as the process got them
 * @param secretFlags  flags (without dashes) that the flow declares as secret
 */
export function hideSecrets(command: readonly string[], secretFlags: readonly string[] = []): readonly string[] {
  const secret = new Set(secretFlags.map((flag) => flag.toLowerCase()));
  const isSecret = (flag: string) => secret.has(flag.toLowerCase()) || SECRET_FLAG.test(kebab(flag));
  let hidesNext = false;
  return command.map((argument) => {
    if (hidesNext && !argument.startsWith("--")) {
      hidesNext = false;
      return HIDDEN;
    }
    hidesNext = false;
    const match = /^--?([^=]+)(=.*)?$/s.exec(argument);
    if (match !== null && isSecret(match[1]!)) {
      if (match[2] !== undefined) return `${argument.slice(0, argument.indexOf("="))}=${HIDDEN}`;
      hidesNext = true;
      return argument;
    }
    // The end of the scheme is enough: an expression that begins with all of it takes the square of a long argument's length.
    return argument.replace(/(?<=[a-z0-9+.-]:\/\/)[^/\s@]*@/gi, "");
  });
}

/** The address of a git remote without user name, password and query, so that it can be kept and shown. */
export function withoutCredentials(remote: string): string {
  if (URL.canParse(remote) && remote.includes("://")) {
    const url = new URL(remote);
    if (url.protocol !== "ssh:") url.username = "";
    url.password = "";
    url.search = "";
    url.hash = "";
    return url.href;
  }
  // The short form of ssh, `git@host:path`: the user name is no secret, but what a colon follows would be.
  return remote.replace(/^[^/@]*:[^/@]*@/, "");
}

/** `accessToken` as `access-token`, so that both spellings of a flag are known. */
function kebab(flag: string): string {
  return flag.replace(/([a-z0-9])([A-Z])/g, "$1-$2").replaceAll("_", "-");
}
