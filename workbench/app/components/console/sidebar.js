export default function ({ parentElement, data }) {
  fillAccount(parentElement, data, () => unsent(data.person));
}
