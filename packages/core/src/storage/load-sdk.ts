import { FlowError } from "../errors/flow-error.ts";

/**
 * Loads the library that speaks with a service, when a store first needs it: they are optional peers, which most installations
 * do without.
 *
 * @param name of the package
 * @param load imports it
 * @throws FlowError FLOW_STORAGE_NO_SDK when it is not installed
 */
export async function loadSdk<Sdk>(name: string, load: () => Promise<Sdk>): Promise<Sdk> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A package that is there and lacks a part of its own is broken in another way, and says so itself.
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes(name)) throw error;
    throw new FlowError("FLOW_STORAGE_NO_SDK", {
      message: `Cannot open the store: the package "${name}" is not installed`,
      hint: `Run "npm install ${name}" beside @millrace/core`,
      context: { package: name },
    });
  }
}
