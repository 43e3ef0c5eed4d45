/** Why panels may be empty although all is well, where several share the reason. */
export const noModel = { noValue: 'no model is called', emptyWhen: 'Rules compile, so that no model is called.' };
export const noAnnouncement = {
  noValue: 'nothing announced',
  emptyWhen: 'No model that is asked here has a day announced on which it is shut down.',
};
