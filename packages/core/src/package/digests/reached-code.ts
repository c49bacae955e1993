/** All code of a bundle that one step of a flow reaches, and its digest. */
import { contentDigest } from "../package-digest.ts";
import type { Unit } from "./bundle-units.ts";
import type { BundleEffects } from "./effects.ts";
import type { FlowMembers } from "./flow-members.ts";

export interface ReachContext {
  readonly effects: BundleEffects;
  readonly members: FlowMembers;
  readonly stored: StoredClasses;
  /** What stands for an import of an installed package: its name and exact version. */
  readonly identityOf: (specifier: string) => string;
  /** Identities that every step counts. */
  readonly identities: readonly string[];
}

/** Classes whose instances come out of the store, so that their code runs without being mentioned. */
export interface StoredClasses {
  /** What makes them known to the store. */
  readonly registrations: readonly Unit[];
  readonly everywhere: readonly string[];
  /** Reached where one of their members is mentioned. */
  readonly byMember: readonly { readonly name: string; readonly words: ReadonlySet<string> }[];
}

/**
 * The digest of a step, or undefined when what it reaches cannot be told.
 *
 * Two steps have one digest only if the pieces of code that they reach, taken in the order in which they are reached,
 * are the same but for the names of the top level, which are numbered in that order.
 *
 * @param fields that the step's decorator names
 */
export function reachedDigest(context: ReachContext, step: string, fields: readonly string[]): string | undefined {
  const reach = new Reach(context);
  reach.start([step, ...fields]);
  return reach.isUntold ? undefined : contentDigest(`step ${step}\n${reach.text()}`);
}

class Reach {
  readonly #context: ReachContext;
  /** In the order in which they were reached. */
  readonly #units = new Set<Unit>();
  readonly #numbers = new Map<string, number>();
  readonly #members = new Set<string>();
  readonly #words = new Set<string>();
  readonly #sources = new Set<string>();
  #hasAllMembers = false;
  isUntold = false;

  constructor(context: ReachContext) {
    this.#context = context;
  }

  start(memberNames: readonly string[]): void {
    const { members, stored } = this.#context;
    for (const unit of [...members.common, ...stored.registrations]) this.#units.add(unit);
    for (const name of memberNames) this.#addMember(name);
    for (const name of stored.everywhere) this.#addName(name);
    if (members.isOpen) this.#addAllMembers();
    const looked = new Set<Unit>();
    do {
      // A set gives what is added while it is gone through.
      for (const unit of this.#units) {
        if (looked.has(unit)) continue;
        looked.add(unit);
        this.#look(unit);
      }
      this.#addConcerned();
    } while (looked.size < this.#units.size);
  }

  text(): string {
    const { members, identities, identityOf } = this.#context;
    const pieces = [...this.#units].map(({ label, facts }) => {
      const code = facts.texts.map((text, index) => {
        if (index === 0) return text;
        const name = facts.names[index - 1]!;
        const level = members.names.get(name);
        return `\u00a7${level === undefined ? this.#numbers.get(name) : `class ${level}`}${text}`;
      });
      return label + code.join("");
    });
    const sources = [...this.#sources].map(identityOf);
    return [...pieces, ...[...sources, ...identities].sort()].join("\u0002");
  }

  #look(unit: Unit): void {
    const { facts } = unit;
    if (unit.source !== undefined && unit.isDefining !== true) this.#sources.add(unit.source);
    for (const source of facts.sources) this.#sources.add(source);
    if (facts.isUntold) this.isUntold = true;
    for (const word of facts.words) this.#words.add(word);
    for (const name of facts.names) {
      if (this.#context.members.names.has(name)) this.#addOfClass(unit, name);
      else this.#addName(name);
    }
    if (facts.needsAllMembers) this.#addAllMembers();
    for (const name of facts.thisMembers) this.#addMember(name);
    for (const word of this.#context.effects.wrapping.get(unit) ?? []) this.#addMember(word);
  }

  /** Adds what belongs to what is there without being mentioned by it. */
  #addConcerned(): void {
    const { effects, stored, members } = this.#context;
    const isChanged = (name: string): boolean => this.#numbers.has(name) && effects.state.has(name);
    for (const { unit, concernsAll, touches, isStatement } of effects.effects) {
      if (members.wholes.has(unit)) continue;
      const isMentioned = isStatement && unit.facts.names.some((name) => this.#isReached(name));
      if (concernsAll || isMentioned || [...touches].some(isChanged)) this.#units.add(unit);
    }
    for (const { name, words } of stored.byMember)
      if ([...words].some((word) => this.#words.has(word))) this.#addName(name);
    // The fields of a flow are initialised for every task, also those that the step does not read.
    for (const unit of [...members.byName.values(), ...members.private.values()].flat())
      if (unit.facts.hasEffects && [...unit.facts.evaluatedTouches].some(isChanged)) this.#units.add(unit);
  }

  /** Whether a name, or another of the same installed package, is reached. */
  #isReached(name: string): boolean {
    if (this.#numbers.has(name) || this.#context.members.names.has(name)) return true;
    const source = this.#context.effects.valuesOf.get(name)?.find((unit) => unit.kind === "import")?.source;
    return source !== undefined && this.#sources.has(source);
  }

  #addName(name: string): void {
    if (this.#numbers.has(name)) return;
    this.#numbers.set(name, this.#numbers.size);
    const { effects, members } = this.#context;
    for (const unit of effects.valuesOf.get(name) ?? []) if (!members.wholes.has(unit)) this.#units.add(unit);
    for (const unit of members.private.get(name) ?? []) this.#units.add(unit);
    for (const unit of members.writers.get(name) ?? []) this.#units.add(unit);
  }

  #addMember(name: string): void {
    if (this.#members.has(name)) return;
    this.#members.add(name);
    if (name === "constructor") this.#addAllMembers();
    for (const unit of this.#context.members.byName.get(name) ?? []) this.#units.add(unit);
  }

  /** The flow's own class is mentioned: what is asked of it counts. */
  #addOfClass(unit: Unit, name: string): void {
    const { facts, kind } = unit;
    for (const member of facts.memberMentions.get(name) ?? []) this.#addMember(member);
    // A statement that does something with the class may mean any member that it names.
    if (kind === "statement") for (const word of facts.words) this.#addMember(word);
    // A helper of the bundler is about the class itself; a second mention is the user's.
    else if (kind !== "helper" ? facts.bare.has(name) : facts.names.indexOf(name) !== facts.names.lastIndexOf(name))
      this.#addAllMembers();
  }

  #addAllMembers(): void {
    if (this.#hasAllMembers) return;
    this.#hasAllMembers = true;
    const { members } = this.#context;
    for (const name of members.byName.keys()) this.#addMember(name);
    for (const units of members.private.values()) for (const unit of units) this.#units.add(unit);
  }
}
