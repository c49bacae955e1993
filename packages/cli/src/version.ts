declare const __MILLRACE_VERSION__: string | undefined;

/** The version of this command, which the build writes in. */
export const COMMAND_VERSION = typeof __MILLRACE_VERSION__ === "string" ? __MILLRACE_VERSION__ : "0.0.0-source";
