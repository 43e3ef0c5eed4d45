/** What is asked at a door, and what comes back. */
import type { ModelCall } from '../../records.ts';
import type { ModelReply, ModelRequest } from './model.ts';

export interface Question {
  request: ModelRequest;
  segmentId: string;
  trajectoryId: string;
  /** Who did most of it: budgets are shared out by agent. */
  agent: string | null;
  stage: ModelCall['stage'];
  /** Ask again although the answer is known. */
  fresh: boolean;
}

export interface Answer {
  reply: ModelReply;
  /** Every attempt, the one that answered last. */
  calls: ModelCall[];
}
