/** Why panels may be empty although all is well, where several share the reason. */
export const noModel = { noValue: 'no model is called', emptyWhen: 'Rules compile, so that no model is called.' };
export const noPairsPaid = {
  noValue: 'no pair was paid for',
  emptyWhen: 'Rules compile, so that no model is called, or no pair was accepted within the day.',
};
export const noAnnouncement = {
  noValue: 'nothing announced',
  emptyWhen: 'No model that is asked here has a day announced on which it is shut down.',
};
