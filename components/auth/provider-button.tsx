"use client";
import { LogIn } from "lucide-react";
import { useState } from "react";
import { goToProvider } from "#client/sign-in.ts";
import { Button } from "#components/ui/button.tsx";

/** Sign-in through the identity provider of the configuration. */
export function ProviderButton({ name, next }: { name: string; next: string }) {
  const [isBusy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const go = async () => {
    setBusy(true);
    const said = await goToProvider(next);
    setRefusal(said);
    if (said) setBusy(false);
  };
  return (
    <div className="mb-4 border-b border-line pb-4">
      {refusal && (
        <p role="alert" className="mb-2 text-bad">
          {refusal}
        </p>
      )}
      <Button onClick={go} disabled={isBusy} className="w-full">
        <LogIn size={14} aria-hidden /> Sign in with {name}
      </Button>
    </div>
  );
}
