import { useId } from "react";

type Props = { label: string; hint: string; value: string; onChange: (value: string) => void; isCode?: boolean };

/** One line of a form: its name above, what is wanted below. */
export function Field({ label, hint, value, onChange, isCode = false }: Props) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
      </label>
      <input
        id={id}
        value={value}
        required
        autoComplete="off"
        spellCheck={false}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.target.value)}
        className={`h-8 w-full min-w-0 rounded-md border border-line-strong bg-raised px-2.5 text-sm text-ink ${isCode ? "font-mono" : ""}`}
      />
      <p id={`${id}-hint`} className="mt-1 text-xs text-ink-3">
        {hint}
      </p>
    </div>
  );
}
