/**
 * What the OpenLineage specification 2-0-2 asks of a run event and of the facets that Millrace gives, written down anew from
 * the public specification (https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets that it names). It is reduced
 * to what Millrace writes, and stricter than the specification in one thing: a name that it does not know is refused.
 */
import { z } from "@millrace/core";

// Formats as JSON Schema means them: an absolute URI, a time with its zone.
const uri = z.string().regex(/^[a-z][a-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/);
const time = z.iso.datetime({ offset: true });
const base = { _producer: uri, _schemaURL: uri, _deleted: z.boolean().optional() };
const name = z.string().min(1);
const job = { namespace: name, name };

/** Facets of others may say what they like, under a name with their prefix. */
const custom = z.looseObject(base);

/** A column, or a field of a structure. */
const schemaField: z.ZodType = z.strictObject({
  name,
  type: z.string().optional(),
  description: z.string().optional(),
  fields: z.array(z.lazy(() => schemaField)).optional(),
});

const dataset = z.strictObject({
  ...job,
  facets: z.strictObject({
    version: z.strictObject({ ...base, datasetVersion: name }),
    dataSource: z.strictObject({ ...base, name: z.string().optional(), uri: uri.optional() }),
    schema: z.strictObject({ ...base, fields: z.array(z.lazy(() => schemaField)).optional() }).optional(),
    millrace_value: custom,
  }),
});

export const openLineageEvent = z.strictObject({
  eventType: z.enum(["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]),
  eventTime: time,
  producer: uri,
  schemaURL: uri,
  run: z.strictObject({
    runId: z.guid(),
    facets: z.strictObject({
      parent: z
        .strictObject({ ...base, run: z.strictObject({ runId: z.guid() }), job: z.strictObject(job) })
        .optional(),
      processing_engine: z.strictObject({
        ...base,
        version: z.string(),
        name: z.string().optional(),
        openlineageAdapterVersion: z.string().optional(),
      }),
      errorMessage: z
        .strictObject({
          ...base,
          message: z.string(),
          programmingLanguage: z.string(),
          stackTrace: z.string().optional(),
        })
        .optional(),
      millrace_run: custom,
    }),
  }),
  job: z.strictObject({
    ...job,
    facets: z.strictObject({
      jobType: z.strictObject({
        ...base,
        processingType: z.string(),
        integration: z.string(),
        jobType: z.string().optional(),
      }),
      sourceCodeLocation: z
        .strictObject({
          ...base,
          type: z.string(),
          url: uri,
          repoUrl: z.string().optional(),
          path: z.string().optional(),
          version: z.string().optional(),
          tag: z.string().optional(),
          branch: z.string().optional(),
        })
        .optional(),
      millrace_codePackage: custom.optional(),
    }),
  }),
  inputs: z.array(
    z.strictObject({ ...dataset.shape, inputFacets: z.strictObject({ millrace_read: custom }).optional() }),
  ),
  outputs: z.array(dataset),
});
