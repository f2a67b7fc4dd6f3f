import { expect, type Page } from "@playwright/test";

type Sight = { says: string; green: string[] };
export type Witness = {
  /** The page has said "Cannot tell", and has not taken it back or shown anything green since. */
  expectOnlyCannotTell: () => Promise<void>;
  /** The page has said "Cannot tell" and, while it did, showed nothing green. */
  expectNoGreenUntilRecovered: () => Promise<void>;
};

/**
 * Looks at what `scope` says of its first VM after every change of the page, from inside it: a green that stands for one
 * frame is seen, too, which asking from outside again and again would miss.
 */
export async function watch(page: Page, scope: string): Promise<Witness> {
  const seen = await page.evaluateHandle((scope) => {
    const sights: Sight[] = [];
    const look = () => {
      const all = (selector: string) =>
        [...document.querySelectorAll(`${scope} :is(${selector})`)].map((one) => one.textContent);
      const sight = {
        says: all('[data-axis="agreement"]')[0] ?? "",
        green: all('[data-tone="ok"], [class*="text-ok"]'),
      };
      if (JSON.stringify(sight) !== JSON.stringify(sights.at(-1))) sights.push(sight);
    };
    look();
    const all = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(look).observe(document.documentElement, all);
    return sights;
  }, scope);
  const sinceTold = async () => {
    const sights = await seen.jsonValue();
    const since = sights.slice(sights.findIndex(({ says }) => says.startsWith("Cannot tell")));
    expect(since[0]?.says).toMatch(/^Cannot tell/);
    return since;
  };
  return {
    expectOnlyCannotTell: async () => {
      for (const sight of await sinceTold())
        expect(sight).toEqual({ says: expect.stringMatching(/^Cannot tell/), green: [] });
    },
    expectNoGreenUntilRecovered: async () => {
      for (const sight of await sinceTold()) if (sight.says.startsWith("Cannot tell")) expect(sight.green).toEqual([]);
    },
  };
}
