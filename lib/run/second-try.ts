/** Which files of tests against real hosts are run once more, as a whole: see lib/decisions/a-second-try.md. */
import { isAbsolute, relative } from "node:path";
import { z } from "zod";

/** When more files failed than this, it is no race. */
const MOST_FILES = 2;

/** The part of vitest's JSON report that is needed. */
const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) }),
      ),
    }),
  ),
});

/** `failures`: a line each, the test and what it said. */
export type SecondTry = { files: string[]; failures: string[] };

/** @param root what files are told relative to. null: nothing to try again; the run is red, whatever the reason */
export function findSecondTry(report: string, root: string): SecondTry | null {
  const read = reportSchema.safeParse(parse(report));
  if (!read.success) return null;
  const failed = read.data.testResults.filter(({ status }) => status === "failed");
  if (failed.length === 0 || failed.length > MOST_FILES) return null;
  const shortOf = (name: string) => (isAbsolute(name) ? relative(root, name) : name);
  const failures = failed.flatMap(({ name, message, assertionResults }) => {
    const tests = assertionResults.filter(({ status }) => status === "failed");
    const said = tests.map(({ fullName, failureMessages }) => `${fullName}: ${firstLine(failureMessages[0])}`);
    // A file whose preparation failed has no failed test.
    return (said.length > 0 ? said : [firstLine(message)]).map((line) => `${shortOf(name)} > ${line}`);
  });
  return { files: failed.map(({ name }) => shortOf(name)), failures };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const firstLine = (text = ""): string => (text.split("\n")[0] ?? "").slice(0, 240);
