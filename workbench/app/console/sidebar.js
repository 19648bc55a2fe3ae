export default function ({ parentElement, data }) {
  const pending = new Drawer(`${PENDING}${data.person}.`);
  fillAccount(parentElement, data, () => pending.all().length);
}
