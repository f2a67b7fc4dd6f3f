import { NotFoundPanel } from "#components/patterns/not-found-panel.tsx";

/** Outside the console there is no landmark around the panel yet. */
export default function NotFound() {
  return (
    <main>
      <NotFoundPanel />
    </main>
  );
}
