/** Invented sessions that hold one structure each. */
import { type Line, says } from './session.ts';

/** A pump that runs badly until its filter is flushed. */
export const pump: Line[] = [
  says('user', 'The pump in hall B is weak, can you look?'),
  { tool: 'check_pump_status', response: 'Pump Mode: auto\nFlow Rate: 12.50 l/min\nInlet Valve: throttled' },
  { tool: 'measure_pressure', response: 'Pressure Reading: 31.20 kg (Low). Below the usual range.' },
  { tool: 'list_manuals', response: 'manual-7.pdf' },
  { tool: 'flush_filter', args: { filter: 'F-204' }, response: 'Filter flushed.' },
  { tool: 'measure_pressure', response: 'Pressure Reading: 58.75 kg (Normal). Within the usual range.' },
  { tool: 'check_pump_status', response: 'Pump Mode: auto\nFlow Rate: 40.25 l/min\nInlet Valve: fully open' },
  says('assistant', 'All good again.'),
];

/** A booking that is refused for its date and accepted for another one. */
export const booking: Line[] = [
  says('user', 'Please book the meeting room.'),
  {
    tool: 'book_room',
    args: { room_id: 'R-17', day: '2026-03-02' },
    response: { error: true, content: 'Error: The room is closed for repairs that week' },
  },
  says('assistant', 'That week is not possible. Another one?'),
  says('user', 'Then the week after.'),
  { tool: 'book_room', args: { room_id: 'R-17', day: '2026-03-09' }, response: { booking: 'ok', room_id: 'R-17' } },
];

/** Three parcels looked up, two of them sent elsewhere; the carrier of one is known from its own record. */
export const parcels: Line[] = [
  says('user', 'Where are my parcels?'),
  {
    tool: 'get_parcel_details',
    args: { parcel_id: '#P4001' },
    response: { parcel_id: '#P4001', status: 'in transit', carrier_id: 'CR-88', weight_kg: '2.10', total_price: 18.4 },
  },
  {
    tool: 'get_parcel_details',
    args: { parcel_id: '#P4002' },
    response: { parcel_id: '#P4002', status: 'waiting', carrier_id: 'CR-91', weight_kg: '0.40', total_price: 6.2 },
  },
  {
    tool: 'get_parcel_details',
    args: { parcel_id: '#P4003' },
    response: { parcel_id: '#P4003', status: 'waiting', carrier_id: 'CR-91', weight_kg: '5.00', total_price: 9.9 },
  },
  says('user', 'Two of them have to go to my new address.'),
  {
    tool: 'redirect_parcel',
    args: { parcel_id: '#P4001' },
    response: { parcel_id: '#P4001', status: 'redirected', carrier_id: 'CR-88', weight_kg: '2.10', total_price: 23.9 },
  },
  says('assistant', 'One moment, the other one next.'),
  { tool: 'update_parcel', args: { parcel_id: '#P4002', note: 'leave at the door' }, response: 'Note saved.' },
  {
    tool: 'get_carrier',
    args: { carrier_id: 'CR-88' },
    response: { carrier_id: 'CR-88', name: 'Heron Freight', hotline: '0800-44411' },
  },
];

/** One agent hands work to another, which tells what it did. */
export const relay: Line[] = [
  {
    agent: 'lead',
    tool: 'message.handoff',
    args: { to: 'Reader', content: 'Find the opening hours of the reading room.' },
  },
  {
    agent: 'Reader',
    tool: 'Reader.act',
    response: "I typed 'reading room hours' into the search bar.\nNothing found.",
  },
  { agent: 'lead', tool: 'message.handoff', args: { to: 'Reader', content: 'Look at the page of the town library.' } },
  { agent: 'Reader', tool: 'Reader.act', response: "I clicked 'Town library'.\nA page of pictures." },
  {
    agent: 'lead',
    tool: 'message.handoff',
    args: { to: 'Reader', content: 'Search for the holiday schedule of the library.' },
  },
  {
    agent: 'Reader',
    tool: 'Reader.act',
    response: "I typed 'library holiday schedule' into the search bar.\nClosed in May.",
  },
];

/** A script that is mended by an edit. */
export const script: Line[] = [
  {
    tool: 'bash',
    args: { command: 'python count_birds.py', thought: 'see what it says' },
    response: { content: '17', exit_code: 0 },
  },
  { tool: 'read', args: { path: 'src/count_birds.py' }, response: 'def count(birds):\n    return len(birds) - 1\n' },
  {
    tool: 'edit',
    args: { path: 'src/count_birds.py', old_text: 'return len(birds) - 1', new_text: 'return len(birds)' },
    response: 'Replaced one passage.',
  },
  {
    tool: 'bash',
    args: { command: 'python count_birds.py', thought: 'and again' },
    response: { content: '18', exit_code: 0 },
  },
];

/** A standing order, listed as text in the form of a list, that is raised. */
export const standingOrder: Line[] = [
  says('user', 'My rent went up to 930.'),
  says('assistant', 'Let me see what you have.'),
  {
    tool: 'list_standing_orders',
    response: '- amount: 840.50\n  id: 4\n  subject: Rent\n- amount: 12.00\n  id: 5\n  subject: Newspaper\n',
  },
  says('assistant', 'I found the order for the rent and change it now.'),
  { tool: 'update_standing_order', args: { id: 4, amount: 930 }, response: "{'message': 'Standing order updated.'}" },
];
