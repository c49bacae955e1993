import type { UpstreamRequest } from "./asked-upstream.ts";

/** How code chooses the run of an upstream: a run's name, tags, or the handle of a run. */
export type UpstreamChoice = string | { readonly tags: readonly string[] } | { readonly id: string };

/** What code has chosen, as it is asked for. */
export function upstreamRequests(
  choices: Readonly<Record<string, UpstreamChoice | undefined>>,
): Readonly<Record<string, UpstreamRequest>> {
  const requests: Record<string, UpstreamRequest> = {};
  for (const [name, choice] of Object.entries(choices)) {
    if (choice === undefined) continue;
    requests[name] =
      typeof choice === "string" ? { run: choice } : "id" in choice ? { runId: choice.id } : { tags: choice.tags };
  }
  return requests;
}
