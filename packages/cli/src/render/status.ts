import type { Paint } from "./output.ts";

/** The mark before a run or task: ✓ done, ✗ failed, ● at work, ■ stopped. */
export function statusMark(status: string, paint: Paint): string {
  switch (status) {
    case "succeeded":
      return paint.green("✓");
    case "failed":
    case "lost":
      return paint.red("✗");
    case "running":
      return paint.cyan("●");
    case "cancelled":
    case "caught":
      return paint.yellow("■");
    default:
      return paint.dim("·");
  }
}

/** The word of a status in its colour. */
export function statusWord(status: string, paint: Paint): string {
  switch (status) {
    case "succeeded":
      return paint.green(status);
    case "failed":
    case "lost":
      return paint.red(status);
    case "running":
      return paint.cyan(status);
    default:
      return paint.yellow(status);
  }
}
