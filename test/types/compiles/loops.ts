/** Choices that lead back: to themselves, to an earlier step, and to the target of a foreach, which takes its item. */
import { choose, Flow, type Inputs, join, step } from "@millrace/core";

export class Refine extends Flow {
  drafts!: string[];
  text!: string;
  verdict!: "more" | "done" | "afresh";
  isGood!: boolean;

  @step({ next: "write", foreach: "drafts" })
  start() {
    this.drafts = ["a", "b"];
  }

  @choose({ on: "isGood", next: { true: "judge", false: "write" } })
  write(draft: string, index: number) {
    this.text = draft.repeat(index);
    this.isGood = this.text.length > 3;
  }

  @choose({ on: "verdict", next: { more: "judge", afresh: "write", done: "gather" } })
  judge() {
    this.verdict = "done";
  }

  @join({ next: "end" })
  gather(inputs: Inputs<Refine>) {
    this.text = inputs.map((input) => input.text).join();
  }

  @step()
  end() {}
}
