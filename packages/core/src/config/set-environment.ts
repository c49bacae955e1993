/**
 * Sets environment variables of this process, and gives what sets them back to what they were. Tasks that run in this very
 * thread at the same time see them too: there is one environment.
 */
export function setProcessEnvironment(variables: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
