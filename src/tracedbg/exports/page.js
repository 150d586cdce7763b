(function(){'use strict';
var $=function(i){return document.getElementById(i)},rows=[].slice.call(document.querySelectorAll('li[data-s]')),n=rows.length;
if(!n)return;
var all=[].slice.call(document.querySelectorAll('ol.rows>li')),cur=0,free=false,timer=null,done={},
 asks=rows.filter(function(l){return l.hasAttribute('data-ask')}),
 starts=[].map.call(document.querySelectorAll('section'),function(s){return rows.indexOf(s.querySelector('li[data-s]'))}).filter(function(i){return i>=0});
function wall(){for(var i=0;i<asks.length;i++)if(!done[asks[i].id])return rows.indexOf(asks[i]);return n-1}
function stop(){clearInterval(timer);timer=null;$('play').textContent='play'}
function show(i,scroll){
 var lim=free?n-1:wall(),after=false,past=false;cur=Math.max(0,Math.min(i,lim));
 all.forEach(function(l){
  l.classList.toggle('shut',past&&!free);l.classList.toggle('later',after&&!free);l.classList.toggle('cur',l===rows[cur]);
  if(l===rows[cur]){l.setAttribute('aria-current','step');after=true}else l.removeAttribute('aria-current');
  if(l===rows[lim]&&lim<n-1)past=true;
 });
 document.querySelectorAll('section').forEach(function(s){var f=s.querySelector('ol.rows>li');s.classList.toggle('shut',!!f&&f.classList.contains('shut'))});
 $('scrub').value=cur;$('scrub').setAttribute('aria-valuetext','row '+(cur+1)+' of '+n);
 $('pos').textContent=(cur+1)+' / '+n;
 $('state').textContent='At this row: '+rows[cur].dataset.s+(i>lim&&!free?' (answer the question, or Esc to show all)':'');
 if(scroll)rows[cur].scrollIntoView({block:'nearest'});
 if(cur===lim&&timer)stop();
}
function go(i){free=false;show(i,true)}
function play(){if(timer){stop();return}free=false;if(cur>=n-1)cur=-1;timer=setInterval(function(){show(cur+1,true)},900);$('play').textContent='pause'}
function jump(d){var s=starts.filter(function(x){return d>0?x>cur:x<cur});go(s.length?(d>0?s[0]:s[s.length-1]):d>0?n-1:0)}
function everything(){stop();free=true;show(cur,false)}
function theme(){var b=document.body,dark=b.classList.contains('dark')||!b.classList.contains('light')&&matchMedia('(prefers-color-scheme:dark)').matches;
 b.classList.toggle('dark',!dark);b.classList.toggle('light',dark)}
asks.forEach(function(l){
 var says=l.querySelector('.verdict');
 l.querySelectorAll('li[data-k]').forEach(function(c){
  var b=document.createElement('button');b.type='button';b.setAttribute('aria-pressed','false');
  while(c.firstChild)b.appendChild(c.firstChild);
  c.appendChild(b);
  b.onclick=function(){
   l.querySelectorAll('button').forEach(function(o){o.setAttribute('aria-pressed',String(o===b))});
   done[l.id]=1;var right=l.dataset.right;
   says.textContent=right<0?'What happens comes next.':c.dataset.k===right?'As you predicted. Which rule says so?':'The kernel answers otherwise: go on and see. Which rule explains the difference?';
   free=false;show(cur,false)};
 });
 if(!l.querySelector('li[data-k]'))done[l.id]=1;
});
$('first').onclick=function(){go(0)};$('prev').onclick=function(){go(cur-1)};$('next').onclick=function(){go(cur+1)};$('play').onclick=play;$('all').onclick=everything;$('theme').onclick=theme;
$('scrub').max=n-1;$('scrub').oninput=function(){go(+this.value)};
document.addEventListener('keydown',function(e){
 if(e.ctrlKey||e.metaKey||e.altKey)return;
 var k=e.key,at=e.target.tagName;
 if(/^(INPUT|BUTTON|SUMMARY)$/.test(at)&&(k===' '||k==='Enter'||at==='INPUT'&&/^(Arrow|Home|End)/.test(k)))return;
 if(k==='j'||k==='ArrowRight')go(cur+1);else if(k==='k'||k==='ArrowLeft')go(cur-1);else if(k===']')jump(1);else if(k==='[')jump(-1);
 else if(k===' ')play();else if(k==='Home')go(0);else if(k==='End')go(n-1);else if(k==='Escape')everything();else return;
 e.preventDefault()});
addEventListener('beforeprint',function(){everything();document.querySelectorAll('details').forEach(function(d){d.open=true})});
function follow(){
 var l=/^#r\d+$/.test(location.hash)&&$(location.hash.slice(1)),i=rows.indexOf(l);
 if(i<0)return false;
 // Whoever links to a row means it: the questions before it are not asked, the one itself is.
 asks.forEach(function(a){if(rows.indexOf(a)<i)done[a.id]=1});
 stop();free=false;show(i,false);rows[i].scrollIntoView({block:'center'});return true}
addEventListener('hashchange',follow);
document.querySelector('nav').hidden=false;
if(!follow())show(0,false);
})();
