// Kline intervals: name → length. The same twelve as the venue's and the database's.
export const INTERVAL_MS: Readonly<Record<string, number>> = {
  '1m': 60_000, '3m': 180_000, '5m': 300_000, '15m': 900_000, '30m': 1_800_000,
  '1h': 3_600_000, '2h': 7_200_000, '4h': 14_400_000, '6h': 21_600_000, '8h': 28_800_000,
  '12h': 43_200_000, '1d': 86_400_000,
}

export const INTERVALS: readonly string[] = Object.keys(INTERVAL_MS)

/** An interval this page does not know is judged like the longest it knows. */
export function intervalMs(interval: string): number {
  return INTERVAL_MS[interval] ?? 86_400_000
}
