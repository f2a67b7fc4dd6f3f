"use client";
import { useEffect } from "react";

/** Goes on within this site: the session's cookie is not sent along with the step that comes from the provider. */
export function Arrived({ next }: { next: string }) {
  useEffect(() => window.location.replace(next), [next]);
  return (
    <a href={next} className="font-medium underline underline-offset-2">
      Go on
    </a>
  );
}
