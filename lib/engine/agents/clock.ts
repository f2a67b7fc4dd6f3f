/** One agent's clock beside ours: how old a read is must not depend on whether a host's clock is right. */
export class AgentClock {
  /** How far the agent is ahead of us, ms. */
  skewMs = 0;

  /**
   * What an answer's stamp tells: it was made after we asked and before we heard. What is known stands for as long as it
   * can be true, so that an answer that took long spoils nothing.
   */
  note(stamp: string | null, askedAt: number, heardAt: number): void {
    const at = Date.parse(stamp ?? "");
    // Not a number: not stamped. Heard before it was asked: our own clock was set meanwhile.
    if (!(at >= 0) || heardAt < askedAt) return;
    this.skewMs = Math.min(Math.max(this.skewMs, at - heardAt), at - askedAt);
  }

  /** The agent's time in ours. Nothing that an agent answers was read before it was asked, or is read later than now. */
  toOurs(at: string, askedAt: number): string {
    return new Date(Math.max(askedAt, Math.min(Date.parse(at) - this.skewMs, Date.now()))).toISOString();
  }
}
