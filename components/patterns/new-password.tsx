import { TextField } from "#components/ui/field.tsx";
import { PASSWORD_LENGTH } from "#contract/password.ts";

/** The field for a password that somebody sets, with the rule that the engine holds everybody to. */
export function NewPassword({ name, label, note = "" }: { name: string; label: string; note?: string }) {
  return (
    <div>
      <label className="block font-medium" htmlFor={name}>
        {label}
        <TextField
          id={name}
          name={name}
          type="password"
          autoComplete="new-password"
          minLength={PASSWORD_LENGTH.min}
          maxLength={PASSWORD_LENGTH.max}
          required
          aria-describedby={`${name}-rule`}
          className="mt-1.5 w-full"
        />
      </label>
      <p id={`${name}-rule`} className="mt-1.5 text-xs text-ink-3">
        At least {PASSWORD_LENGTH.min} characters.{note}
      </p>
    </div>
  );
}
