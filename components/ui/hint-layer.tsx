"use client";
import { useEffect, useId, useRef, useState } from "react";

const SHOW_AFTER_MS = 350;
const HIDE_AFTER_MS = 120;
const EDGE_PX = 8;
type Shown = { text: string; left: number; top: number; above: boolean };

/**
 * One hint for the whole page: whatever carries `data-hint` shows its text on hover and focus, and what cannot act now
 * also when it is pressed. It can be hovered itself, and Escape puts it away. Never the only place of a fact: the text is also the element's name or description.
 */
export function HintLayer() {
  const [shown, setShown] = useState<Shown | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (run: () => void, ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(run, ms);
    };
    const hide = () => {
      clearTimeout(timer);
      setShown(null);
    };
    const show = (owner: HTMLElement) => {
      const { left, right, top, bottom } = owner.getBoundingClientRect();
      const text = owner.dataset.hint;
      const above = bottom + 80 > window.innerHeight;
      // What it has opened is in its place.
      if (text && owner.isConnected && owner.ariaExpanded !== "true")
        setShown({ text, left: (left + right) / 2, top: above ? top - 6 : bottom + 6, above });
    };
    const ownerOf = (target: EventTarget | null) =>
      target instanceof Element ? target.closest<HTMLElement>("[data-hint]") : null;
    const onOver = (event: PointerEvent) => {
      if (event.pointerType === "touch") return;
      const owner = ownerOf(event.target);
      if (owner) later(() => show(owner), SHOW_AFTER_MS);
      else if (box.current?.contains(event.target as Node)) clearTimeout(timer);
      else later(hide, HIDE_AFTER_MS);
    };
    const onFocus = (event: FocusEvent) => {
      const owner = ownerOf(event.target);
      if (owner?.matches(":focus-visible")) show(owner);
      else hide();
    };
    // A finger has no hover: pressing what cannot act now says why.
    const onClick = (event: MouseEvent) => {
      const owner = ownerOf(event.target);
      if (owner?.ariaDisabled === "true") show(owner);
    };
    const onKeyDown = (event: KeyboardEvent) => event.key === "Escape" && hide();
    // Loaded by the first pointer or key, which may have reached its owner by now.
    const already = document.querySelector<HTMLElement>("[data-hint]:hover, [data-hint]:focus-visible");
    if (already) later(() => show(already), SHOW_AFTER_MS);
    document.addEventListener("pointerover", onOver);
    document.addEventListener("focusin", onFocus);
    document.addEventListener("pointerdown", hide);
    document.addEventListener("click", onClick);
    document.addEventListener("keydown", onKeyDown);
    window.addEventListener("scroll", hide, true);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("pointerover", onOver);
      document.removeEventListener("focusin", onFocus);
      document.removeEventListener("pointerdown", hide);
      document.removeEventListener("click", onClick);
      document.removeEventListener("keydown", onKeyDown);
      window.removeEventListener("scroll", hide, true);
    };
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element || !shown) return;
    const half = element.offsetWidth / 2;
    const left = Math.min(Math.max(shown.left, half + EDGE_PX), window.innerWidth - half - EDGE_PX);
    element.style.left = `${left - half}px`;
    element.style.top = `${shown.above ? shown.top - element.offsetHeight : shown.top}px`;
    element.style.visibility = "visible";
  }, [shown]);

  if (!shown) return null;
  return (
    <div
      ref={box}
      id={id}
      role="tooltip"
      className="invisible fixed z-50 max-w-[min(20rem,calc(100vw-1rem))] rounded-md border border-line bg-raised px-2.5 py-1.5 text-xs text-ink shadow-[0_4px_16px_var(--shadow)]"
    >
      {shown.text}
    </div>
  );
}
