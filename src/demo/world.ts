/** The small invented world that the simulated fleet works in. Nobody and nothing in it exists. */
import type { Dice } from './dice.ts';

export interface Person {
  name: string;
  email: string;
  /** From the ranges that Ofcom and the North American plan keep for fiction. */
  phone: string;
  city: string;
  zone: string;
  /** Hours ahead of UTC in winter. */
  utcOffset: number;
}

const places = [
  ['Lisbon', 'Europe/Lisbon', 0],
  ['Gdansk', 'Europe/Warsaw', 1],
  ['Turku', 'Europe/Helsinki', 2],
  ['Mombasa', 'Africa/Nairobi', 3],
  ['Pune', 'Asia/Kolkata', 5.5],
  ['Osaka', 'Asia/Tokyo', 9],
  ['Halifax', 'America/Halifax', -4],
  ['Pueblo', 'America/Denver', -7],
] as const;

const names = [
  'Orla Pennyquick',
  'Tobiah Marchbank',
  'Wilhelmina Oakapple',
  'Casimir Lanternby',
  'Isaura Fennimoor',
  'Bartholo Quillane',
  'Nerys Hollowbeck',
  'Ansel Thimblewick',
  'Perpetua Dovetail',
  'Ludo Saltmarshe',
  'Ottoline Brackenfold',
  'Emeric Tallowmere',
  'Sunniva Cobblestane',
  'Jorik Weatherlow',
  'Amabel Rushlight',
  'Fenwick Applegarth-Moss',
] as const;

export const people: readonly Person[] = names.map((name, i) => {
  const [city, zone, utcOffset] = places[i % places.length] as (typeof places)[number];
  const phone = i % 2 === 0 ? `020 7946 0${String(110 + i * 7)}` : `+1 719 555 01${String(20 + i * 3)}`;
  return { name, email: `${name.toLowerCase().replace(/[^a-z]+/g, '.')}@example.com`, phone, city, zone, utcOffset };
});

export interface Product {
  name: string;
  /** Pounds and pence, as text. */
  price: string;
}

export const products: readonly Product[] = [
  { name: 'walnut desk lamp', price: '48.50' },
  { name: 'enamel kettle', price: '36.20' },
  { name: 'linen apron', price: '22.75' },
  { name: 'brass barometer', price: '119.00' },
  { name: 'oak step stool', price: '64.90' },
  { name: 'felt slippers', price: '27.40' },
  { name: 'stoneware teapot', price: '41.15' },
  { name: 'wool picnic blanket', price: '73.60' },
];

export const firms = [
  'Bramblewick Lighting',
  'Tern and Hollow Ceramics',
  'Marrowstone Dairy',
  'Low Pier Cycles',
  'Ambergrove Tea Rooms',
  'Nettlebed Looms',
  'Copperfinch Bakery',
  'Saltlark Ferries',
] as const;

export const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'] as const;

/** Pounds and pence of whole pence. */
export function pounds(pence: number): string {
  return (pence / 100).toFixed(2);
}

export function pence(amount: string): number {
  return Math.round(Number(amount) * 100);
}

/** `HH:MM` of minutes after midnight, wrapped into one day. */
export function clock(minutes: number): string {
  const inDay = ((minutes % 1440) + 1440) % 1440;
  return `${String(Math.floor(inDay / 60)).padStart(2, '0')}:${String(inDay % 60).padStart(2, '0')}`;
}

/** Colleagues whom work is handed to: never the people whom it is about. */
export function colleagues(dice: Dice, besides: readonly Person[], count: number): Person[] {
  return dice.some(
    people.filter((person) => !besides.includes(person)),
    count,
  );
}
