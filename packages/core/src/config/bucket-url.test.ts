import { describe, expect, test } from "vitest";
import { parseStoreText } from "./bucket-url.ts";

const parse = (text: string) => parseStoreText(text, { base: "/base", setting: "--store" });

/** The whole text of what is thrown. */
function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    expect(error).toMatchObject({ code: "FLOW_CONFIG_BAD_STORE" });
    const { message, hint, context } = error as Error & { hint: string; context: unknown };
    return `${message} ${hint} ${JSON.stringify(context)}`;
  }
  throw new Error(`"${text}" was taken`);
}

describe("folders", () => {
  test.each([
    ["runs", "/base/runs"],
    ["/data/runs", "/data/runs"],
    ["odd:name", "/base/odd:name"],
    ["file:runs/a%20b", "/base/runs/a b"],
    ["file:./runs", "/base/runs"],
    ["file:///data/runs", "/data/runs"],
    ["file://localhost/data", "/data"],
    ["file:/data/%C3%A4", "/data/ä"],
    ["FILE:/data", "/data"],
  ])("%s", (text, folder) => {
    expect(parse(text)).toEqual({ kind: "folder", folder });
  });

  test.each([
    ["file://host/share", "on another machine"],
    ["file:", "names no folder"],
    ["file:%00", "names no folder"],
    ["file:a%zz", "begins no escape"],
    ["file:a?region=x", "has no options"],
  ])("%s is refused", (text, why) => {
    expect(refusal(text)).toContain(why);
  });
});

describe("buckets", () => {
  test("have a service, a name, a prefix and options", () => {
    expect(
      parse("s3://team-data/models/v1/?region=eu-1&endpoint=http://127.0.0.1:9000/&pathStyle=true&profile=a b"),
    ).toEqual({
      kind: "bucket",
      bucket: {
        kind: "s3",
        bucket: "team-data",
        prefix: "models/v1",
        options: { region: "eu-1", endpoint: "http://127.0.0.1:9000", pathStyle: true, profile: "a b" },
        text: "s3://team-data/models/v1?endpoint=http://127.0.0.1:9000&region=eu-1&pathStyle=true&profile=a%20b",
      },
    });
    expect(parse("gs://data_1")).toMatchObject({
      bucket: { kind: "gs", bucket: "data_1", prefix: "", text: "gs://data_1" },
    });
    expect(
      parse("azure://runs/p?endpoint=http://127.0.0.1:10000/devstoreaccount1&account=devstoreaccount1"),
    ).toMatchObject({
      bucket: { kind: "azure", options: { account: "devstoreaccount1" } },
    });
  });

  test.each([
    "s3://data",
    "s3://data/a/b?endpoint=https://s3.example.com:8443/x&pathStyle=false",
    "S3://data/a?endpoint=http%3A%2F%2Fhost%2F%2526",
    "azure://data?account=x",
  ])("%s means the same when its shown text is read again", (text) => {
    const place = parse(text);
    expect(parse((place as { bucket: { text: string } }).bucket.text)).toEqual(place);
  });

  test.each([
    ["ftp://x/y", "no kind of store"],
    ["s3:data", 'not followed by "//"'],
    ["s3//data", '"s3" is not followed by "://"'],
    ["s3://", "names no bucket"],
    ["azure:///p", "names no container"],
    ["s3://ab", "3 to 63 characters"],
    ["s3://Team", '"Team" is no name of a bucket'],
    ["s3://a..b", "no name of a bucket"],
    ["azure://a--b", "no name of a container"],
    ["s3://data/Models", 'its prefix has the character "M"'],
    ["s3://data/a%20b", 'its prefix has the character "%"'],
    ["s3://data/a/../b", "'.' or '..'"],
    ["s3://data/a//b", "an empty part"],
    [`s3://data/${"a".repeat(101)}`, "101 characters"],
    ["s3://data#x", 'it has a "#"'],
    ["s3://data?regoin=x", '"regoin" is not known: s3 takes endpoint, region, pathStyle, profile'],
    ["gs://data?region=x", '"region" is not known: gs takes endpoint'],
    ["s3://data?region=a&region=b", "stands there twice"],
    ["s3://data?region=", "has no value"],
    ["s3://data?pathStyle=yes", "neither true nor false"],
    ["s3://data?endpoint=127.0.0.1:9000", "no URL of http or https"],
    ["s3://data?endpoint=file:///etc", "no URL of http or https"],
    ["s3://data?endpoint=http://h/?a=b", "more than a host, a port and a path"],
    ["s3://data?region=a%0Ab", "characters that no name has"],
  ])("%s is refused", (text, why) => {
    expect(refusal(text)).toContain(why);
  });

  test("all that is wrong is told at once", () => {
    const text = refusal("s3://Team/A?regoin=x&pathStyle=maybe");
    for (const part of ['"Team"', '"A"', '"regoin"', '"pathStyle"']) expect(text).toContain(part);
  });

  test.each([
    "s3://AKIA0:sEcReT@data/x",
    "s3://sEcReT@data",
    "s3://AKIA0:sEcReT/data",
    "s3://data?endpoint=http://user:sEcReT@127.0.0.1:9000",
    "s3://data?secretAccessKey=sEcReT",
    "azure://data?sig=sEcReT",
    "gs://data/x@sEcReT",
  ])("credentials in %s are refused and not said again", (text) => {
    const told = refusal(text);
    expect(told).not.toContain("sEcReT");
    expect(told).not.toContain("AKIA0");
  });
});
