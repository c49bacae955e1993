/** The version of Millrace; a test holds it to the version in package.json. */
export const MILLRACE_VERSION = "0.1.0";
