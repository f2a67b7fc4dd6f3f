import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { ListRows } from "./list-rows.tsx";

type Query = Parameters<typeof ListRows<string>>[0]["query"];
const textOf = (items: string[], isError: boolean) =>
  renderToStaticMarkup(
    <ListRows
      query={
        {
          isPending: false,
          isError,
          error: isError ? new TypeError("fetch failed") : null,
          dataUpdatedAt: 0,
          data: { pages: [{ items, nextCursor: null, total: items.length }], pageParams: [null] },
        } as unknown as Query
      }
      label="Jobs"
      columns={[{ title: "Name", cell: (item) => item }]}
      keyOf={(item) => item}
      empty={<p>No job has run yet</p>}
    />,
  );

test.each([[[]], [["a"]]])("a list of %j whose refresh failed says that it is old", (items) => {
  expect(textOf(items, true)).toContain("What is shown is old");
  expect(textOf(items, false)).not.toContain("What is shown is old");
});
