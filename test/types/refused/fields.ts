import { artifact, config, Flow, includeFile, param, step, upstream, z } from "@millrace/core";
import GenerateData from "../compiles/generate-data.ts";
import Train from "../compiles/train.ts";

class NoFlow {
  name = "";
}

abstract class Abstract extends Flow {
  x!: number;
}

export class BadUpstream extends Flow {
  readonly model = upstream(Train);
  // @ts-expect-error 2551 Property 'sorce' does not exist on type 'Upstreams<Train>'. Did you mean 'source'?
  readonly misspelt = upstream(GenerateData, { sameAs: this.model.upstreams.sorce });
  // @ts-expect-error 2322 Type 'Upstream<Train>' is not assignable to type 'Upstream<NoInfer<GenerateData>>'.
  readonly notOfUpstream = upstream(GenerateData, { sameAs: this.model });
  // @ts-expect-error 2322 Type 'Upstream<GenerateData>' is not assignable to type 'Upstream<NoInfer<Train>>'.
  readonly ofAnotherFlow = upstream(Train, { sameAs: this.model.upstreams.source });
  // @ts-expect-error 2729 Property 'later' is used before its initialization.
  readonly tooEarly = upstream(GenerateData, { sameAs: this.later.upstreams.source });
  readonly later = upstream(Train);
  // @ts-expect-error 2345 Argument of type 'typeof NoFlow' is not assignable to parameter of type 'string | FlowClass<Flow>'.
  readonly noFlow = upstream(NoFlow);
  // @ts-expect-error 2345 Argument of type 'typeof Abstract' is not assignable to parameter of type 'string | FlowClass<Abstract>'.
  readonly abstract = upstream(Abstract);
  readonly data = upstream(GenerateData);
  n!: unknown;

  @step()
  start() {
    // @ts-expect-error 2551 Property 'trainRow' does not exist on type 'Artifacts<GenerateData>'. Did you mean 'trainRows'?
    this.n = this.data.data.trainRow;
    // @ts-expect-error 2540 Cannot assign to 'trainRows' because it is a read-only property.
    this.data.data.trainRows = [];
    // @ts-expect-error 2339 Property 'start' does not exist on type 'Artifacts<GenerateData>'.
    this.data.data.start();
    // @ts-expect-error 2339 Property 'trainRows' does not exist on type 'Upstream<GenerateData>'.
    this.n = this.data.trainRows;
  }
}

export class BadFields extends Flow {
  readonly conf = config(z.object({ folds: z.number() }));
  readonly bytes = includeFile();
  // @ts-expect-error 2322 Type '"latin1"' is not assignable to type '"utf8"'.
  readonly encoded = includeFile({ encoding: "latin1" });
  // @ts-expect-error 2551 Property 'fold' does not exist on type '{ folds: number; }'. Did you mean 'folds'?
  readonly misspelt = param(z.coerce.number(), { default: () => this.conf.fold });
  // @ts-expect-error 2322 Type '() => string' is not assignable to type '() => number'.
  readonly wrongDefault = param(z.number(), { default: () => "x" });
  scores = artifact(z.array(z.number()));
  // @ts-expect-error 2322 Type '"soon"' is not assignable to type '`${number}d` | `${number}h` | `${number}m` | `${number}ms` | `${number}s` | undefined'.
  late = artifact(z.string(), { ttl: "soon" });
  // @ts-expect-error 2322 Type 'string' is not assignable to type 'boolean | undefined'.
  brief = artifact(z.string(), { transient: "yes" });
  // @ts-expect-error 2353 Object literal may only specify known properties, and 'keep' does not exist in type 'ArtifactOptions'.
  kept = artifact(z.string(), { keep: true });
  text!: string;

  @step()
  start() {
    // @ts-expect-error 2322 Type 'string' is not assignable to type 'number'.
    this.scores = ["a"];
    // @ts-expect-error 2322 Type 'Uint8Array<ArrayBufferLike>' is not assignable to type 'string'.
    this.text = this.bytes;
  }
}

export abstract class OwnLog extends Flow {
  // @ts-expect-error 2610 'log' is defined as an accessor in class 'Flow', but is overridden here in 'OwnLog' as an instance property.
  log!: string[];
}

export class BadMetric extends Flow {
  @step()
  start() {
    // @ts-expect-error 2345 Argument of type 'string' is not assignable to parameter of type 'number'.
    this.log.metric("r2", "0.5");
    // @ts-expect-error 2353 'epoch' does not exist in type '{ readonly step?: number; }'.
    this.log.metric("loss", 1, { epoch: 3 });
  }
}
