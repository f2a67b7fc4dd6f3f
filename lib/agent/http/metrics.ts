/** Prometheus metrics. No label carries a VM's name or id: they can be read without a token. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { HostDriver } from "../driver.ts";

export type Metrics = {
  registry: Registry;
  observeRequest(route: string, method: string, status: number, seconds: number): void;
};

export function makeMetrics(driver: HostDriver): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labelNames = ["route", "method", "status"];
  const requests = new Counter({
    name: "driftline_agent_http_requests_total",
    help: "Requests by route, method and status",
    labelNames,
    registers: [registry],
  });
  const duration = new Histogram({
    name: "driftline_agent_http_request_seconds",
    help: "Time to the end of the answer; streams count until they are closed",
    labelNames: ["route"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  for (const [name, value] of Object.entries(driver.gauges())) {
    new Gauge({
      name: `driftline_agent_${name}`,
      help: name.replaceAll("_", " "),
      registers: [registry],
      collect() {
        this.set(driver.gauges()[name] ?? value);
      },
    });
  }
  return {
    registry,
    observeRequest(route, method, status, seconds) {
      requests.inc({ route, method, status: String(status) });
      duration.observe({ route }, seconds);
    },
  };
}
