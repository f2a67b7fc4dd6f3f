import { expect, test } from "vitest";
import { findingId, subjectOfId } from "./id.ts";

test.each(["x", "a|b", "100%", "%7C", "%25|%7C"])(
  "an id tells what it was made from, also of a bitmap named %s",
  (name) => {
    const subject = { checkpointId: null, disk: "vda", bitmap: name };
    const id = findingId("bitmap.unknown", null, "vda", name);
    expect(id.split("|")).toHaveLength(4);
    expect(subjectOfId(id)).toEqual({ kind: "bitmap.unknown", subject });
  },
);
